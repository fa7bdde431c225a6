"""Chats: what a person asks, the loop that answers, the cells that run, all told as events."""
