"""What a compose file says, as frozen values; every attribute of the Compose specification has its field here."""
