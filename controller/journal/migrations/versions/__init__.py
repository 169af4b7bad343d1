"""One module per change of the schema. What has been released is never edited."""
