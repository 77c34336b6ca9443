"""What lies in results: what is done, whether it is whole, who may write, and how it can be made again."""
