"""Where a parcel may go, and when it arrives: pure functions of an address, a warehouse and a moment."""
