"""Part of AIFlow's own interface; see `ai_flow`."""
