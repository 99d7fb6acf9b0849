// Package hopcount mints links. Go 1.19 or later; BLAKE2b is that of golang.org/x/crypto. Copy this file
// into a package of yours.
//
//	key, err := hopcount.LoadKey("/etc/hopcount/keys", "acme")
//	url, err := hopcount.Mint(key, "acme", "https://go.acme.example",
//		hopcount.Link{Kind: "pay", Object: 1234, Client: 77, TTL: "30d"})
package hopcount

import (
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/blake2b"
)

// Link is what a link holds. Kind is view, pay, login or 4 to 15, as your configuration names them; TTL
// is 30d, Channel mail and Issued now unless set; Variant is "" or A to G; Silent ones are not counted,
// Once ones work once.
type Link struct {
	Kind                       string
	Object, Client             uint32
	Campaign                   uint16
	TTL, Channel, Variant, Arg string
	Issued                     time.Time
	Silent, Once               bool
}

// Key is one of hopcount's key file.
type Key struct {
	Kid    byte
	Secret []byte
}

var argForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{0,48}$`)
var digits = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// LoadKey finds the key of a key file that mints links of the brand.
func LoadKey(path, brand string) (Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Key{}, err
	}
	for at, line := range strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n") {
		f := append(strings.Fields(line), "", "", "", "")
		kid, badKid := strconv.ParseUint(f[0], 10, 8)
		secret, badKey := hex.DecodeString(f[2])
		if f[0] == "" || f[0][0] == '#' {
			continue
		} else if badKid != nil || badKey != nil || len(secret) != 32 {
			return Key{}, fmt.Errorf("%s:%d: is no key line", path, at+1)
		} else if f[1] == "mint" && (f[3] == "" || strings.Contains(","+f[3]+",", ","+brand+",")) {
			return Key{byte(kid), secret}, nil
		}
	}
	return Key{}, fmt.Errorf("%s: has no mint key for the brand '%s'", path, brand)
}

// Mint makes a link as text; the error names a value that can't be in one.
func Mint(key Key, brand, baseURL string, l Link) (string, error) {
	var err error
	place := func(name, value, unset, words string) uint32 {
		for at, word := range strings.Split(words, " ") {
			if word == value || value == "" && word == unset {
				return uint32(at)
			}
		}
		err = fmt.Errorf("%s: '%s' is none of %s", name, value, words)
		return 0
	}
	kind := place("kind", l.Kind, "", "view pay login 4 5 6 7 8 9 10 11 12 13 14 15") + 1
	ttl := place("ttl", l.TTL, "30d", "never 15m 1h 6h 1d 2d 3d 7d 14d 30d 45d 60d 90d 120d 180d 366d")
	bit := map[bool]uint32{true: 1}
	flags := place("channel", l.Channel, "mail", "unknown mail sms pdf qr portal chat other")<<5 |
		place("variant", l.Variant, "none", "none A B C D E F G")<<2 | bit[l.Silent]<<1 | bit[l.Once]
	if l.Issued.IsZero() {
		l.Issued = time.Now()
	}
	issued := l.Issued.Unix() - 1704067200 // since 2024-01-01T00:00Z
	if issued < 0 || issued/60 > 0xffffff {
		err = fmt.Errorf("issued: %d is not from 2024 to 2055", l.Issued.Unix())
	} else if !argForm.MatchString(l.Arg) {
		err = fmt.Errorf("arg: '%s' is not up to 48 of A-Z a-z 0-9 . _ ~ -", l.Arg)
	} else if len(brand) < 1 || len(brand) > 63 {
		err = fmt.Errorf("brand: has %d bytes, 1 to 63 are possible", len(brand))
	}
	if err != nil {
		return "", err
	}
	hash := func(prefix byte, rest []byte, size int) []byte {
		h, _ := blake2b.New(size, key.Secret)
		h.Write(append(append([]byte{prefix, key.Kid, byte(len(brand))}, brand...), rest...))
		return h.Sum(nil)
	}
	plain := binary.BigEndian.AppendUint32([]byte{byte(kind<<4 | ttl)}, l.Object)
	plain = binary.BigEndian.AppendUint32(plain, l.Client)
	plain = binary.BigEndian.AppendUint16(plain, l.Campaign)
	plain = binary.BigEndian.AppendUint32(plain, uint32(issued/60)<<8|flags)
	plain = append(plain, l.Arg...)
	tag := hash(1, plain, 32)[:12]
	pad := hash(2, tag, 64)
	for at := range plain {
		plain[at] ^= pad[at%64]
	}
	sealed := append(append([]byte{key.Kid}, tag...), plain...)
	return strings.TrimRight(baseURL, "/") + "/" + digits.EncodeToString(sealed), nil
}
