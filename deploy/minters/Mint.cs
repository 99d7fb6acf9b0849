using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;

/// Mints hopcount links. C# 7 or later (.NET 4.6, .NET Core, Mono 6), without a library: BLAKE2b (RFC 7693) is at the end.
///
///     var mint = new Mint("/etc/hopcount/keys", "acme", "https://go.acme.example");
///     var url = mint.Link("pay", 1234, new Dictionary<string, string> { ["client"] = "77", ["ttl"] = "30d" });
public sealed class Mint
{
    const string Digits = "0123456789abcdefghjkmnpqrstvwxyz";
    const long EpochS = 1704067200; // 2024-01-01T00:00Z
    static readonly string[] Kinds = { "", "view", "pay", "login" };
    static readonly string[] Ttls = "never 15m 1h 6h 1d 2d 3d 7d 14d 30d 45d 60d 90d 120d 180d 366d".Split(' ');
    static readonly string[] Channels = "unknown mail sms pdf qr portal chat other".Split(' ');
    static readonly string[] Variants = { "", "A", "B", "C", "D", "E", "F", "G" };
    static readonly string[] Switch = { "no", "yes" };
    static readonly string[] Fields = "client campaign ttl channel variant arg issued silent once".Split(' ');
    readonly byte[] key, name; // the secret, the brand
    readonly byte kid;
    readonly string baseUrl;

    /// With the key of a key file that mints links of the brand.
    public Mint(string keyFile, string brand, string baseUrl)
    {
        this.baseUrl = baseUrl.TrimEnd('/');
        name = Encoding.UTF8.GetBytes(brand);
        if (name.Length < 1 || name.Length > 63)
            throw new ArgumentException($"brand: has {name.Length} bytes, 1 to 63 are possible");
        int number = 0;
        foreach (var line in File.ReadLines(keyFile))
        {
            var f = line.Split(new[] { ' ', '\t' }, StringSplitOptions.RemoveEmptyEntries);
            number++;
            if (f.Length == 0 || f[0][0] == '#')
                continue;
            if (f.Length < 3 || !Regex.IsMatch(f[2], @"\A[0-9A-Fa-f]{64}\z"))
                throw new ArgumentException($"{keyFile}:{number}: is no key line");
            if (f[1] != "mint" || f.Length > 3 && !f[3].Split(',').Contains(brand))
                continue;
            kid = (byte)Number("kid", f[0], 255);
            key = Enumerable.Range(0, 32).Select(i => Convert.ToByte(f[2].Substring(2 * i, 2), 16)).ToArray();
            return;
        }
        throw new ArgumentException($"{keyFile}: has no mint key for the brand '{brand}'");
    }

    /// A link; an ArgumentException names a value that can't be in one. kind is view, pay, login or 4 to 15,
    /// as your configuration names them; in `more`, issued are Unix seconds, now unless given, variant is A
    /// to G, links with silent=yes are not counted, links with once=yes work once.
    public string Link(string kind, long obj, IDictionary<string, string> more)
    {
        Func<string, string, string> Get = (field, unset) => more.ContainsKey(field) ? more[field] : unset;
        foreach (var unknown in more.Keys.Except(Fields))
            throw new ArgumentException($"'{unknown}' is no field; there are {string.Join(" ", Fields)}");
        long code = Array.IndexOf(Kinds, kind) > 0 ? Array.IndexOf(Kinds, kind) : Number("kind", kind, 15);
        var arg = Get("arg", "");
        if (code == 0 || !Regex.IsMatch(arg, @"\A[A-Za-z0-9._~-]{0,48}\z"))
            throw new ArgumentException(code == 0 ? "kind: 0 is none" : $"arg: '{arg}' is not up to 48 of A-Z a-z 0-9 . _ ~ -");
        long issued = Number("issued", Get("issued", DateTimeOffset.UtcNow.ToUnixTimeSeconds().ToString()), 9999999999) - EpochS;
        int flags = Place("channel", Get("channel", "mail"), Channels) << 5 | Place("variant", Get("variant", ""), Variants) << 2
            | Place("silent", Get("silent", "no"), Switch) << 1 | Place("once", Get("once", "no"), Switch);
        var plain = BigEndian(code * 16 + Place("ttl", Get("ttl", "30d"), Ttls), 1)
            .Concat(BigEndian(Number("object", obj.ToString(), 0xffffffff), 4))
            .Concat(BigEndian(Number("client", Get("client", "0"), 0xffffffff), 4))
            .Concat(BigEndian(Number("campaign", Get("campaign", "0"), 0xffff), 2))
            .Concat(BigEndian(Number("issued", (issued < 0 ? -1 : issued / 60).ToString(), 0xffffff), 3))
            .Concat(BigEndian(flags, 1)).Concat(Encoding.ASCII.GetBytes(arg)).ToArray();
        var tag = Hash(1, plain, 32).Take(12).ToArray();
        var sealedBytes = new[] { kid }.Concat(tag).Concat(plain.Zip(Hash(2, tag, 64), (a, b) => (byte)(a ^ b)));
        var bits = string.Concat(sealedBytes.Select(b => Convert.ToString(b, 2).PadLeft(8, '0')));
        return baseUrl + "/" + Regex.Replace(bits, ".{1,5}", five => Digits.Substring(Convert.ToInt32(five.Value.PadRight(5, '0'), 2), 1));
    }

    static IEnumerable<byte> BigEndian(long value, int size) => Enumerable.Range(1, size).Select(i => (byte)(value >> 8 * (size - i)));

    static long Number(string name, string value, long most) =>
        Regex.IsMatch(value, @"\A[0-9]{1,10}\z") && long.Parse(value) <= most ? long.Parse(value)
            : throw new ArgumentException($"{name}: '{value}' is no number from 0 to {most}");

    static int Place(string name, string value, string[] words) => Array.IndexOf(words, value) >= 0 ? Array.IndexOf(words, value)
        : throw new ArgumentException($"{name}: '{value}' is none of {string.Join(" ", words).Trim()}");

    static readonly ulong[] Iv = { 0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
        0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179 };
    const string Sigma = "0123456789abcdefea489fd61c02b753b8c052fdae3671947931dcbe265a40f8905724afe1bc683d2c6a0b834d75fe19"
        + "c51fed4a0763928bdb7ec13950f4862a6fe9b308c2d714a5a2847615fb9e3cd00123456789abcdefea489fd61c02b753";
    const string Lanes = "048c159d26ae37bf05af16bc278d349e"; // columns, then diagonals

    byte[] Hash(byte prefix, byte[] rest, int size)
    {
        var data = key.Concat(new byte[96]).Concat(new[] { prefix, kid, (byte)name.Length }).Concat(name).Concat(rest).ToArray();
        var h = (ulong[])Iv.Clone();
        h[0] ^= 0x01010000UL ^ 32 << 8 ^ (ulong)size;
        for (int at = 0; at < data.Length; at += 128)
        {
            var block = data.Skip(at).Take(128).Concat(new byte[128]).ToArray();
            var v = h.Concat(Iv).ToArray();
            v[12] ^= (ulong)Math.Min(at + 128, data.Length);
            v[14] ^= at + 128 >= data.Length ? ulong.MaxValue : 0;
            for (int half = 0; half < 192; half++) // 12 rounds of 8 lanes of 2 words
            {
                int[] lane = Lanes.Substring(half % 16 / 2 * 4, 4).Select(c => Convert.ToInt32(c.ToString(), 16)).ToArray();
                v[lane[0]] += v[lane[1]] + BitConverter.ToUInt64(block, 8 * Convert.ToInt32(Sigma.Substring(half, 1), 16));
                v[lane[3]] = Rotate(v[lane[3]] ^ v[lane[0]], half % 2 == 0 ? 32 : 16);
                v[lane[2]] += v[lane[3]];
                v[lane[1]] = Rotate(v[lane[1]] ^ v[lane[2]], half % 2 == 0 ? 24 : 63);
            }
            h = h.Select((word, i) => word ^ v[i] ^ v[i + 8]).ToArray();
        }
        return h.SelectMany(BitConverter.GetBytes).Take(size).ToArray();
    }

    static ulong Rotate(ulong word, int by) => word >> by | word << 64 - by;
}
