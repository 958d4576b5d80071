//! Reading a URL within one deadline, guarded against private addresses.
