"""The programs, by theme; each is registered under the name of its driver."""
