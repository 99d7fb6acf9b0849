#!/usr/bin/env ruby
# Mints hopcount links. Ruby 2.5 or later, without a gem: BLAKE2b (RFC 7693) is at the end.
#
#     key = Hopcount.load_key("/etc/hopcount/keys", "acme")
#     url = Hopcount.mint(key, "acme", "https://go.acme.example", "pay", 1234, client: 77, ttl: "30d")
#
# As a program it makes a link of each line of its input:
#
#     echo "pay 1234 client=77 ttl=30d" | ./mint.rb /etc/hopcount/keys acme https://go.acme.example
module Hopcount
  DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
  KINDS = ["", "view", "pay", "login"].freeze
  TTLS = %w[never 15m 1h 6h 1d 2d 3d 7d 14d 30d 45d 60d 90d 120d 180d 366d].freeze
  CHANNELS = %w[unknown mail sms pdf qr portal chat other].freeze
  EPOCH_S = 1_704_067_200 # 2024-01-01T00:00Z

  module_function

  # [kid, 32 bytes]: the key of a key file that mints links of the brand.
  def load_key(path, brand)
    File.foreach(path, mode: "r:BOM|UTF-8").with_index(1) do |line, number|
      kid, state, hex, brands = line.split
      next if kid.nil? || kid.start_with?("#")
      raise ArgumentError, "#{path}:#{number}: is no key line" unless hex =~ /\A\h{64}\z/
      next unless state == "mint" && (brands || brand).split(",").include?(brand)
      return [number("kid", kid, 255), [hex].pack("H*")]
    end
    raise ArgumentError, "#{path}: has no mint key for the brand '#{brand}'"
  end

  # A link as text; ArgumentError names a value that can't be in one. kind is view, pay, login or 4 to
  # 15, as your configuration names them; issued are Unix seconds, now unless given; variant is "" or A
  # to G; silent links are not counted; once links work once.
  def mint(key, brand, base_url, kind, object, client: 0, campaign: 0, ttl: "30d", channel: "mail",
           variant: "", arg: "", issued: nil, silent: false, once: false)
    (kid, secret), name = key, brand.b
    raise ArgumentError, "brand: has #{name.size} bytes, 1 to 63 are possible" unless (1..63).cover?(name.size)
    raise ArgumentError, "arg: '#{arg}' is not up to 48 of A-Z a-z 0-9 . _ ~ -" unless arg =~ /\A[\w.~-]{0,48}\z/

    code = KINDS.index(kind).to_i.positive? ? KINDS.index(kind) : number("kind", kind, 15)
    raise ArgumentError, "kind: 0 is none" if code.zero?

    issued_min = number("issued", ((issued || Time.now.to_i) - EPOCH_S).div(60), 0xffffff)
    flags = place("channel", channel, CHANNELS) << 5 | place("variant", variant, ["", *"A".."G"]) << 2 |
            (silent ? 2 : 0) | (once ? 1 : 0)
    plain = [code << 4 | place("ttl", ttl, TTLS), number("object", object, 0xffffffff),
             number("client", client, 0xffffffff), number("campaign", campaign, 0xffff),
             issued_min >> 16, issued_min & 0xffff, flags].pack("CNNnCnC") + arg.b
    bound = [kid, name.size].pack("CC") + name
    tag = blake2b("\1".b + bound + plain, secret, 32)[0, 12]
    pad = blake2b("\2".b + bound + tag, secret, 64)
    sealed = [kid].pack("C") + tag + plain.bytes.zip(pad.bytes).map { |a, b| a ^ b }.pack("C*")
    text = sealed.unpack1("B*").scan(/.{1,5}/).map { |five| DIGITS[five.ljust(5, "0").to_i(2)] }.join
    "#{base_url.sub(%r{/+\z}, "")}/#{text}"
  end

  def number(name, value, most)
    return value.to_i if value.to_s =~ /\A[0-9]{1,10}\z/ && value.to_i <= most

    raise ArgumentError, "#{name}: '#{value}' is no number from 0 to #{most}"
  end

  def place(name, value, words)
    words.index(value) or raise ArgumentError, "#{name}: '#{value}' is none of #{words.join(" ").strip}"
  end

  IV = [0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
        0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179].freeze
  SIGMA = %w[0123456789abcdef ea489fd61c02b753 b8c052fdae367194 7931dcbe265a40f8 905724afe1bc683d 2c6a0b834d75fe19
             c51fed4a0763928b db7ec13950f4862a 6fe9b308c2d714a5 a2847615fb9e3cd0 0123456789abcdef
             ea489fd61c02b753].map { |row| row.chars.map(&:hex) }.freeze
  LANES = [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15],
           [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]].freeze
  MASK = (1 << 64) - 1

  def blake2b(message, key, size)
    data = key.ljust(128, "\0") + message
    rotate = ->(word, bits) { (word >> bits | word << 64 - bits) & MASK }
    h = IV.each_with_index.map { |word, at| at.zero? ? word ^ 0x01010000 ^ key.size << 8 ^ size : word }
    0.step(data.size - 1, 128) do |at|
      m = data[at, 128].ljust(128, "\0").unpack("Q<16")
      v = h + IV
      v[12] ^= [at + 128, data.size].min
      v[14] ^= MASK if at + 128 >= data.size
      SIGMA.each do |row|
        LANES.each_with_index do |(a, b, c, d), lane|
          [[m[row[2 * lane]], 32, 24], [m[row[2 * lane + 1]], 16, 63]].each do |word, left, right|
            v[a] = v[a] + v[b] + word & MASK
            v[d] = rotate.(v[d] ^ v[a], left)
            v[c] = v[c] + v[d] & MASK
            v[b] = rotate.(v[b] ^ v[c], right)
          end
        end
      end
      h = h.each_with_index.map { |word, i| word ^ v[i] ^ v[i + 8] }
    end
    h.pack("Q<8")[0, size]
  end
end

if $PROGRAM_NAME == __FILE__
  abort "usage: mint.rb KEY_FILE BRAND BASE_URL < lines of KIND OBJECT [client=N …]" if ARGV.size != 3
  at = 0
  begin
    key = Hopcount.load_key(ARGV[0], ARGV[1])
    $stdin.each_line.with_index(1) do |line, number|
      at = number
      kind, object, *rest = line.split
      next if kind.nil?

      more = rest.to_h { |word| word.split("=", 2).then { |name, value| [name.to_sym, value.to_s] } }
      %i[silent once].each { |flag| more[flag] = Hopcount.place(flag, more[flag], %w[no yes]) == 1 if more[flag] }
      more[:issued] = Hopcount.number("issued", more[:issued], 9_999_999_999) if more[:issued]
      puts Hopcount.mint(key, ARGV[1], ARGV[2], kind, object, **more)
    end
  rescue ArgumentError, SystemCallError => e
    abort "mint.rb: #{"line #{at}: " if at.positive?}#{e.message}"
  end
end
