"""Where bytes live, and how they are asked for: folders, archives, buckets and web servers."""
