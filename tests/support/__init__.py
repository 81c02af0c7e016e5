"""What tests share: test hosts, engines under test (Havre and the reference), a raw API client, leak snapshots."""
