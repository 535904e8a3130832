package walk

import (
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/plat/dirfd"
)

// secretFile reports a name that keys, passwords and tokens are kept under.
// Nothing makes such a file readable, short of renaming it.
func secretFile(name string) bool {
	lower := strings.ToLower(name)
	switch lower {
	case ".env", ".envrc", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".npmrc", ".yarnrc.yml", ".pypirc", ".git-credentials", ".htpasswd", ".dockercfg", ".s3cfg", ".boto", ".vault-token",
		"credentials", "credentials.json", "secrets.json", "secrets.yml", "secrets.yaml", "secrets.toml", "secrets.env", "token.json", "terraform.tfstate", "terraform.tfstate.backup",
		"key3.db", "key4.db", "logins.json", "signons.sqlite", "cookies.sqlite", "login data", "cookies", "web data", "wallet.dat", "master.key", "shadow", "shadow-", "gshadow", "gshadow-", "kubeconfig":
		return true
	}
	if strings.HasPrefix(lower, ".env.") || strings.HasPrefix(lower, "client_secret") && strings.HasSuffix(lower, ".json") {
		return true
	}
	// id_rsa, id_ed25519, id_work, and their public halves; not id_card.md.
	if strings.HasPrefix(lower, "id_") && (strings.IndexByte(lower, '.') < 0 || strings.HasSuffix(lower, ".pub")) {
		return true
	}
	switch extension(lower) {
	case "pem", "key", "p12", "pfx", "pkcs12", "jks", "keystore", "kdbx", "kdb", "ppk", "keychain", "keychain-db", "ovpn", "gpg", "tfstate", "age", "agekey", "p8", "pk8", "jceks", "env", "tfvars":
		return true
	}
	return false
}

// secretDir reports a directory of keys, of passwords or of a browser.
func secretDir(name string) bool {
	switch strings.ToLower(name) {
	case ".ssh", ".aws", ".gnupg", ".kube", ".docker", ".azure", ".gcloud", "gcloud", ".password-store", "keychains", "keyrings", ".pki", ".mozilla", ".thunderbird", "google-chrome", "google-chrome-beta", "chromium", "bravesoftware", "microsoft-edge", "vivaldi", "opera", ".electrum", ".bitcoin", ".1password", ".vault":
		return true
	}
	return false
}

func extension(lower string) string {
	return lower[strings.LastIndexByte(lower, '.')+1:]
}

// binaryName reports a file whose name says that it is not text, so that it
// need not be opened.
func binaryName(name string) bool {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || len(name)-i > 9 {
		return false
	}
	switch strings.ToLower(name[i+1:]) {
	case "png", "jpg", "jpeg", "gif", "bmp", "ico", "icns", "webp", "avif", "heic", "heif", "tif", "tiff", "psd", "xcf", "raw", "cr2", "nef", "dng", "jxl",
		"mp3", "mp4", "m4a", "m4v", "ogg", "oga", "ogv", "opus", "flac", "wav", "aac", "avi", "mkv", "mov", "webm", "wmv", "mpg", "mpeg", "mid",
		"zip", "xz", "bz2", "zst", "lz4", "7z", "rar", "tar", "tgz", "txz", "tbz2", "cab", "iso", "img", "dmg", "deb", "rpm", "apk", "jar", "war", "whl", "egg", "gem", "crate", "vsix", "msi", "snap", "flatpak",
		"exe", "dll", "so", "dylib", "a", "lib", "o", "obj", "class", "pyc", "pyo", "wasm", "elc", "beam", "node", "rlib", "rmeta", "pdb",
		"ttf", "otf", "woff", "woff2", "eot", "pfb",
		"mobi", "pages", "numbers", "xlsb",
		"db", "sqlite", "sqlite3", "mdb", "ldb", "sst", "parquet", "arrow", "feather", "npy", "npz", "pkl", "pt", "pth", "onnx", "gguf", "safetensors", "h5", "hdf5", "bin", "swp", "mo", "gmo", "blend", "fbx", "glb", "stl":
		return true
	}
	return false
}

// generatedDir reports a directory of build products or of other people's
// packages. Names that people use for their own things too (build, dist,
// target, vendor) count only beside the file of the tool that fills them.
func generatedDir(name string, siblings []dirfd.Name) bool {
	has := func(files ...string) bool {
		return slices.ContainsFunc(siblings, func(n dirfd.Name) bool { return slices.Contains(files, n.Name) })
	}
	switch name {
	case "node_modules", "bower_components", "jspm_packages", "__pycache__", "__pypackages__", "site-packages", "DerivedData", "CMakeFiles", "_deps", "elm-stuff":
		return true
	case "target":
		return has("Cargo.toml", "pom.xml", "build.sbt", "project.clj")
	case "build", "out":
		return has("package.json", "CMakeLists.txt", "build.gradle", "build.gradle.kts", "meson.build", "setup.py", "pyproject.toml", "pubspec.yaml", "configure.ac", "Makefile", "go.mod")
	case "dist":
		return has("package.json", "setup.py", "pyproject.toml", "Makefile", "go.mod", "stack.yaml")
	case "dist-newstyle":
		return true
	case "vendor":
		return has("go.mod", "composer.json", "Gemfile", "Cargo.toml")
	case "Pods":
		return has("Podfile")
	case "bin", "obj":
		return slices.ContainsFunc(siblings, func(n dirfd.Name) bool {
			return strings.HasSuffix(n.Name, ".csproj") || strings.HasSuffix(n.Name, ".fsproj") || strings.HasSuffix(n.Name, ".vbproj")
		})
	case "deps", "_build":
		return has("mix.exs", "rebar.config", "dune-project")
	case "coverage":
		return has("package.json")
	}
	return strings.HasSuffix(name, ".egg-info") || strings.HasSuffix(name, ".dist-info")
}

// generatedBy reports a directory that says itself that it can be made again:
// it holds a CACHEDIR.TAG (bford.info/cachedir) or is a Python environment.
func generatedBy(names []dirfd.Name) bool {
	return slices.ContainsFunc(names, func(n dirfd.Name) bool { return n.Name == "CACHEDIR.TAG" || n.Name == "pyvenv.cfg" })
}
