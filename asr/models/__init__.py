"""The listener, the speller and what joins them; arrays in, arrays out."""
