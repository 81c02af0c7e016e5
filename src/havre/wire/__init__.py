"""The Engine API's JSON as types, for both ends of the connection: keys exactly as the API spells them."""
