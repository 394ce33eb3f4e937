"""The interface of AIFlow's notification service, over the events of `aiflow`; see `ai_flow`."""
