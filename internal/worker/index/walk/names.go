package walk

import "strings"

func secretFile(name string) bool {
	return name == ".env" || strings.HasPrefix(name, ".env.") || strings.HasSuffix(name, ".pem")
}

func secretDir(name string) bool { return name == ".ssh" || name == ".gnupg" || name == ".aws" }

func binaryName(name string) bool { return strings.HasSuffix(name, ".png") }
