"""Where the model, the SAEs and the text come from: one library, format or kind of corpus a file."""
