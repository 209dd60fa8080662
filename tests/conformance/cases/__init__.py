"""The cases, one file a topic. A name is a sentence."""
