"""What platforms that start this program as a job expect of it: their folders, tables and progress."""
