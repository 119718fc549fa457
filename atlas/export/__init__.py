"""Leaves that write other tools' formats; nothing imports them."""
