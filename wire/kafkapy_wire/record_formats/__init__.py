"""Record formats of the internal topics and files, one module a family; import the module you need."""
