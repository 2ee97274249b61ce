"""Money that goes back without a return: goodwill, a lower price afterwards, a parcel that was lost."""
