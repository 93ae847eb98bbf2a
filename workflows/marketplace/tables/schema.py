"""The one schema that all tables are in."""

from sqlalchemy import MetaData

SCHEMA_VERSION = 4  # how many migrations there are
APPLICATION_ID = 0x4D4B5431  # "MKT1": marks a database file as ours

metadata = MetaData()
