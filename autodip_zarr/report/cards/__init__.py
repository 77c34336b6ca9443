"""Cards of a page about results: one an image, with pictures, charts, and all that is known of it."""
