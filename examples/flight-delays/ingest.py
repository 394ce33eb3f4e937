"""Streaming task: replays the flights of the period as they landed and tells how far the data is complete.

It must never end by itself, never append a flight twice, and never tell a watermark that a flight may still undercut.
"""
import flights
import replay
import task


def main():
    end = task.period_end()
    known = flights.load(end)
    replay.serve(known, flights.Watermark(known, end), "hours")


if __name__ == "__main__":
    main()
