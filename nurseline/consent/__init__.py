"""Who has agreed to messages, who has ended them, and when an automated message may go."""
