package main

import (
	"archive/tar"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// series is a line of kernels.
type series struct {
	name string
	// oldest and newest are what its Landlock may be; newest 0 is no bound.
	oldest, newest int
}

// known are the series that `make vm-test` runs: the oldest that Debian keeps
// up, the one of the release after, and the newest there is.
func known() []series {
	return []series{{"6.1", 2, 2}, {"6.12", 6, 6}, {"7", 9, 0}}
}

func allSeries() []string {
	var names []string
	for _, s := range known() {
		names = append(names, s.name)
	}
	return names
}

func isSeries(s string) bool { return regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`).MatchString(s) }

// kernel is one that was found.
type kernel struct {
	Series  string `json:"series"`
	Package string `json:"package"`
	Version string `json:"version"`
	// SHA256 is the package's.
	SHA256 string `json:"sha256"`
	// Image is the kernel's file.
	Image string `json:"image"`
}

// Where Debian keeps its kernels, and AppArmor 4 with what it is linked to; apt
// takes what a source has and the rest is passed over. These suites are looked at
// here and enabled nowhere.
const (
	archiveSuites  = "bookworm bookworm-backports trixie trixie-backports"
	securitySuites = "bookworm-security"
	keyring        = "/usr/share/keyrings/debian-archive-keyring.gpg"
)

// apt asks Debian's archive with directories of its own.
type apt struct {
	dir string
	run func(ctx context.Context, dir string, argv ...string) (string, error)
}

// absolute is the same from wherever apt is run.
func (a apt) absolute() (apt, error) {
	dir, err := filepath.Abs(a.dir)
	return apt{dir: dir, run: a.run}, err
}

func (a apt) options() []string {
	return []string{
		"-o", "Dir::State=" + a.dir + "/state", "-o", "Dir::State::status=" + a.dir + "/status", "-o", "Dir::Cache=" + a.dir + "/cache",
		"-o", "Dir::Etc::sourcelist=" + a.dir + "/sources.list", "-o", "Dir::Etc::sourceparts=" + a.dir + "/none",
		// The directories are this user's, whoever that is.
		"-o", "APT::Sandbox::User=", "-o", "Acquire::Languages=none", "-o", "Acquire::Retries=1",
	}
}

func (a apt) get(ctx context.Context, dir string, args ...string) (string, error) {
	return a.run(ctx, dir, append(append([]string{"apt-get"}, a.options()...), args...)...)
}

func (a apt) cache(ctx context.Context, args ...string) (string, error) {
	return a.run(ctx, "", append(append([]string{"apt-cache"}, a.options()...), args...)...)
}

// update writes the sources and fetches what they have.
func (a apt) update(ctx context.Context) error {
	targets, err := a.run(ctx, "", "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages")
	if err != nil {
		return err
	}
	sources, err := sourcesOf(targets)
	if err != nil {
		return err
	}
	if _, err := os.Stat(keyring); err != nil {
		return fmt.Errorf("without Debian's keyring nothing can be checked: %w", err)
	}
	for _, d := range []string{"state/lists/partial", "cache/archives/partial", "none"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"sources.list": sources, "status": ""} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	_, err = a.get(ctx, "", "update", "-qq", "-o", "APT::Update::Error-Mode=any")
	return err
}

// sourcesOf makes sources out of where this machine's own packages come from.
func sourcesOf(targets string) (string, error) {
	debian := regexp.MustCompile(`^(bookworm|trixie|forky|sid|stable|oldstable|testing|unstable)(-updates|-security|-backports)?$`)
	var archive, security string
	for line := range strings.Lines(targets) {
		f := strings.Fields(line)
		if len(f) != 3 || !debian.MatchString(f[1]) || f[2] != "main" {
			continue
		}
		if strings.HasSuffix(f[1], "-security") {
			security = cmp.Or(security, f[0])
		} else {
			archive = cmp.Or(archive, f[0])
		}
	}
	if archive == "" {
		return "", errors.New("apt has no source of Debian's packages here")
	}
	var b strings.Builder
	for _, from := range [][2]string{{archive, archiveSuites}, {security, securitySuites}} {
		for _, suite := range strings.Fields(from[1]) {
			if from[0] != "" {
				fmt.Fprintf(&b, "deb [arch=amd64 targets=Packages signed-by=%s] %s %s main\n", keyring, from[0], suite)
			}
		}
	}
	return b.String(), nil
}

// newest is the newest package of a series. Since Debian's 7.3 the kernel's file is
// in a package of its own, linux-binary, that linux-image needs.
func newest(names []string, series string) string {
	binary := func(image string) string { return strings.Replace(image, "linux-image-", "linux-binary-", 1) }
	of := regexp.MustCompile(`^linux-image-` + regexp.QuoteMeta(series) + `\.[0-9][0-9a-z.+~-]*-cloud-amd64$`)
	images := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !of.MatchString(n) })
	if len(images) == 0 {
		return ""
	}
	image := slices.MaxFunc(images, func(a, b string) int { return slices.Compare(numbers(a), numbers(b)) })
	if slices.Contains(names, binary(image)) {
		return binary(image)
	}
	return image
}

// numbers are the numbers of the version in a package's name.
func numbers(name string) []int {
	var out []int
	for _, d := range regexp.MustCompile(`[0-9]+`).FindAllString(strings.TrimSuffix(name, "-cloud-amd64"), -1) {
		n, err := strconv.Atoi(d)
		if err != nil {
			continue // more digits than any version has
		}
		out = append(out, n)
	}
	return out
}

// fetch finds the newest kernel of each series. Where the archive cannot be
// reached it takes what an earlier run brought, and says so.
func fetch(ctx context.Context, a apt, dir string, which []string, say io.Writer) ([]kernel, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	trouble := a.update(ctx)
	names, err := a.cache(ctx, "pkgnames", "linux-")
	trouble = errors.Join(trouble, err)
	var found []kernel
	for _, s := range which {
		k, err := a.kernel(ctx, dir, s, newest(strings.Fields(names), s))
		if err != nil {
			var old error
			if k, old = earlier(dir, s); old != nil {
				return nil, fmt.Errorf("no kernel %s: %s", s, strings.ReplaceAll(errors.Join(trouble, err).Error(), "\n", "; "))
			}
			fmt.Fprintf(say, "vm-test: %s of an earlier run, since no newer one can be asked for: %v\n", s, err)
		}
		found = append(found, k)
	}
	return found, nil
}

// record is where a kernel that was fetched is written down.
func record(dir, series string) string { return filepath.Join(dir, "kernel-"+series+".json") }

func earlier(dir, series string) (k kernel, err error) {
	b, err := os.ReadFile(record(dir, series))
	if err != nil {
		return k, err
	}
	if err := json.Unmarshal(b, &k); err != nil {
		return k, err
	}
	_, err = os.Stat(k.Image)
	return k, err
}

// kernel fetches a package, unless an earlier run did, and takes the kernel out.
func (a apt) kernel(ctx context.Context, dir, series, name string) (kernel, error) {
	if name == "" {
		return kernel{}, errors.New("the archive has none")
	}
	about, err := a.cache(ctx, "show", "--no-all-versions", name)
	if err != nil {
		return kernel{}, err
	}
	k := kernel{Series: series, Package: name, Version: field(about, "Version"), SHA256: field(about, "SHA256"), Image: filepath.Join(dir, "vmlinuz-"+series)}
	if had, err := earlier(dir, series); err == nil && had == k {
		return k, nil
	}
	tmp, err := os.MkdirTemp(dir, "package")
	if err != nil {
		return k, err
	}
	defer os.RemoveAll(tmp)
	if _, err := a.get(ctx, tmp, "download", "-qq", name); err != nil {
		return k, err
	}
	debs, err := filepath.Glob(tmp + "/*.deb")
	if err != nil || len(debs) != 1 {
		return k, fmt.Errorf("apt brought %d packages for %s", len(debs), name)
	}
	// apt has compared it; this is for what is written down.
	if sum, err := digest(debs[0]); err != nil || sum != k.SHA256 {
		return k, fmt.Errorf("%s has the digest %s: %w", name, sum, cmp.Or(err, errors.New("not the archive's")))
	}
	if err := unpack(ctx, debs[0], k.Image); err != nil {
		return k, err
	}
	b, err := json.Marshal(k)
	if err != nil {
		return k, err
	}
	return k, os.WriteFile(record(dir, series), b, 0o644)
}

// field is a field of a package's paragraph.
func field(about, name string) string {
	for line := range strings.Lines(about) {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func digest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// largestKernel is more than any kernel's file has.
const largestKernel = 64 << 20

// unpack takes the kernel out of a package, and nothing else.
func unpack(ctx context.Context, deb, image string) error {
	c := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	err = takeKernel(out, image)
	// It may not have written everything when the kernel was found.
	c.Process.Kill()
	c.Wait()
	return err
}

func takeKernel(r io.Reader, image string) error {
	// In 7.3 it stands with its modules.
	isKernel := regexp.MustCompile(`^\./(boot/vmlinuz-[^/]+|usr/lib/modules/[^/]+/vmlinuz)$`)
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if err != nil {
			return fmt.Errorf("no kernel in the package: %w", err)
		}
		if h.Typeflag != tar.TypeReg || !isKernel.MatchString(h.Name) {
			continue
		}
		if h.Size > largestKernel {
			return fmt.Errorf("a kernel of %d bytes", h.Size)
		}
		f, err := os.Create(image)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, in)
		return errors.Join(err, f.Close())
	}
}
