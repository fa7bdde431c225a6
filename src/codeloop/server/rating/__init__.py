"""What people prefer: models side by side, ranks from votes, rated chats as training data."""
