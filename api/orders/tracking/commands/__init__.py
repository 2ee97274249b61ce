"""Take what carriers say of parcels, let the parcels follow it, and give up those that are lost."""
