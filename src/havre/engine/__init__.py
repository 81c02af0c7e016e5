"""The verbs that join several rooms, and the lifecycle they obey."""
