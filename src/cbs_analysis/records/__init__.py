"""Hospital activity records: what arrives is read, kept, held against rules, and made into tables for chapters."""
