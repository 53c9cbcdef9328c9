"""The commands behind the command line; with the plugin, the only ones to see all."""
