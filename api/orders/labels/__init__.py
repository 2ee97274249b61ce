"""Labels of parcels: what carriers ask, one label bought per parcel, and its picture."""
