package audit

const crashEnv = "BAILEY_TEST_AUDIT_CRASH"

func crashChild(string) {}
