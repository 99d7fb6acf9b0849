"""What breaks things for the fault tests, and what tells whether a click was lost or doubled."""
