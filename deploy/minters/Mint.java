import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.bouncycastle.crypto.digests.Blake2bDigest;

/**
 * Mints hopcount links. Java 11 or later; BLAKE2b is that of Bouncy Castle (bcprov).
 *
 * <pre>
 * Mint mint = Mint.load(Path.of("/etc/hopcount/keys"), "acme", "https://go.acme.example");
 * String url = mint.link("pay", 1234, Map.of("client", "77", "ttl", "30d"));
 * </pre>
 */
public final class Mint {
    private static final String DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
    private static final List<String> KINDS = List.of("", "view", "pay", "login");
    private static final List<String> TTLS = List.of("never 15m 1h 6h 1d 2d 3d 7d 14d 30d 45d 60d 90d 120d 180d 366d".split(" "));
    private static final List<String> CHANNELS = List.of("unknown mail sms pdf qr portal chat other".split(" "));
    private static final List<String> VARIANTS = List.of("", "A", "B", "C", "D", "E", "F", "G");
    private static final List<String> FIELDS = List.of("client campaign ttl channel variant arg issued silent once".split(" "));
    private static final long EPOCH_S = 1704067200; // 2024-01-01T00:00Z
    private final byte[] key, name; // the secret, the brand
    private final int kid;
    private final String baseUrl;

    private Mint(int kid, byte[] key, String brand, String baseUrl) {
        this.kid = kid;
        this.key = key;
        this.name = brand.getBytes(StandardCharsets.UTF_8);
        this.baseUrl = baseUrl.replaceAll("/+$", "");
        if (name.length < 1 || name.length > 63)
            throw new IllegalArgumentException("brand: has " + name.length + " bytes, 1 to 63 are possible");
    }

    /** With the key of a key file that mints links of the brand. */
    public static Mint load(Path file, String brand, String baseUrl) throws java.io.IOException {
        int number = 0;
        for (String line : Files.readString(file).replaceFirst("^\uFEFF", "").split("\n")) {
            String[] f = line.trim().split("\\s+");
            number++;
            if (f[0].isEmpty() || f[0].startsWith("#"))
                continue;
            if (f.length < 3 || !f[2].matches("[0-9A-Fa-f]{64}"))
                throw new IllegalArgumentException(file + ":" + number + ": is no key line");
            byte[] key = new byte[32];
            for (int i = 0; i < 32; i++)
                key[i] = (byte) Integer.parseInt(f[2].substring(2 * i, 2 * i + 2), 16);
            if (f[1].equals("mint") && (f.length == 3 || List.of(f[3].split(",")).contains(brand)))
                return new Mint((int) number("kid", f[0], 255), key, brand, baseUrl);
        }
        throw new IllegalArgumentException(file + ": has no mint key for the brand '" + brand + "'");
    }

    /**
     * A link; an IllegalArgumentException names a value that can't be in one. kind is view, pay, login or 4
     * to 15, as your configuration names them; in `more`, issued are Unix seconds, now unless given, variant
     * is A to G, links with silent=yes are not counted, links with once=yes work once.
     */
    public String link(String kind, long object, Map<String, String> more) {
        for (String field : more.keySet())
            if (!FIELDS.contains(field))
                throw new IllegalArgumentException("'" + field + "' is no field; there are " + String.join(" ", FIELDS));
        long code = KINDS.indexOf(kind) > 0 ? KINDS.indexOf(kind) : number("kind", kind, 15);
        String arg = more.getOrDefault("arg", ""), now = String.valueOf(System.currentTimeMillis() / 1000);
        if (code == 0 || !arg.matches("[A-Za-z0-9._~-]{0,48}"))
            throw new IllegalArgumentException(code == 0 ? "kind: 0 is none" : "arg: '" + arg + "' is not up to 48 of A-Z a-z 0-9 . _ ~ -");
        long issued = number("issued", more.getOrDefault("issued", now), 9999999999L) - EPOCH_S;
        int flags = place("channel", more.getOrDefault("channel", "mail"), CHANNELS) << 5
            | place("variant", more.getOrDefault("variant", ""), VARIANTS) << 2
            | place("silent", more.getOrDefault("silent", "no"), List.of("no", "yes")) << 1
            | place("once", more.getOrDefault("once", "no"), List.of("no", "yes"));
        byte[] plain = ByteBuffer.allocate(15 + arg.length())
            .put((byte) (code << 4 | place("ttl", more.getOrDefault("ttl", "30d"), TTLS)))
            .putInt((int) number("object", String.valueOf(object), 0xffffffffL))
            .putInt((int) number("client", more.getOrDefault("client", "0"), 0xffffffffL))
            .putShort((short) number("campaign", more.getOrDefault("campaign", "0"), 0xffff))
            .putInt((int) number("issued", String.valueOf(Math.floorDiv(issued, 60)), 0xffffff) << 8 | flags)
            .put(arg.getBytes(StandardCharsets.US_ASCII)).array();
        byte[] tag = Arrays.copyOf(hash(1, plain, 32), 12), pad = hash(2, tag, 64);
        ByteBuffer sealed = ByteBuffer.allocate(13 + plain.length).put((byte) kid).put(tag);
        for (int i = 0; i < plain.length; i++)
            sealed.put((byte) (plain[i] ^ pad[i]));
        StringBuilder link = new StringBuilder(baseUrl).append('/');
        int bits = 0, waiting = 0;
        for (byte each : sealed.array())
            for (bits = bits << 8 | each & 255, waiting += 8; waiting >= 5; waiting -= 5)
                link.append(DIGITS.charAt(bits >> waiting - 5 & 31));
        return (waiting == 0 ? link : link.append(DIGITS.charAt(bits << 5 - waiting & 31))).toString();
    }

    private static long number(String name, String value, long most) {
        if (!value.matches("[0-9]{1,10}") || Long.parseLong(value) > most)
            throw new IllegalArgumentException(name + ": '" + value + "' is no number from 0 to " + most);
        return Long.parseLong(value);
    }

    private static int place(String name, String value, List<String> words) {
        if (!words.contains(value))
            throw new IllegalArgumentException(name + ": '" + value + "' is none of " + String.join(" ", words).trim());
        return words.indexOf(value);
    }

    private byte[] hash(int prefix, byte[] rest, int size) {
        Blake2bDigest digest = new Blake2bDigest(key, size, null, null);
        byte[] bound = ByteBuffer.allocate(3 + name.length + rest.length).put((byte) prefix).put((byte) kid)
            .put((byte) name.length).put(name).put(rest).array(), out = new byte[size];
        digest.update(bound, 0, bound.length);
        digest.doFinal(out, 0);
        return out;
    }
}
