"""Streaming task: replays the weather observations of the period and tells how far they are complete.

It must never end by itself, never append an observation twice, and never tell a watermark that one may still undercut.
"""
import replay
import task
import weather


def main():
    end = task.period_end()
    known = weather.load(end)
    replay.serve(known, weather.Watermark(known, end), "weather")


if __name__ == "__main__":
    main()
