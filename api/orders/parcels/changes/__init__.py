"""What a seller changes of a parcel before it is sent: they split it, or do not send some of it."""
