SELECT p.oid, p.pnpubid, p.pnnspid FROM pg_publication_namespace p
