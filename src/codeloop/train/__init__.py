"""Fine-tuning on dialogues: what a trainer is given, what it leaves, and whether it helped."""
