"""The rush: a simulated peak hour at the gates of a running stack, with every answer checked."""
