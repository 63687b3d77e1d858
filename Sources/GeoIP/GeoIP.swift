// GeoIP: where an address is, from MaxMind databases.
//
// Role: opens .mmdb files through libmaxminddb and answers `DNS.PlaceSource`. Boundary: the only target that imports
// the shim of libmaxminddb, and `unsafe` with it. Absent on purpose: downloads, caches, any use of what is found.
