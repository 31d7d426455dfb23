"""MongoDB: dumps that are consistent at one moment, and bringing them back.

`dump` runs the database tools; `contents` says what a replica set holds, so that a restore can be proved.
"""
