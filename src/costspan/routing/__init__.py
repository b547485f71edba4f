"""Facts in, plan out. Pure."""
