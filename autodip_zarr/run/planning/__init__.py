"""What is to be done with each image and channel: decided before a pixel is read."""
