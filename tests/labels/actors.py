"""Who opens the links of mails: gateways, previews and people, as a plan of requests.

What is played follows what operators of such gateways document and what senders report: which links
are opened, in what order and time, by which method, from how many networks.  Times are those of
life; they are divided by SCALE when they are played, and waits that only have to be longer than all
windows are cut to that.
"""
from harness import tokens

SCALE = 5
LINKS_S, NETWORKS_S, EARLY_S = 10, 60, 30  # the defaults of labels.gateway_..._s, early_s
TWO_LINKS_MS = 2500            # of labels.gateway_two_links_ms
REPEAT_MAX = 10                # of labels.repeat_max
WORK_S = 40                    # gateways are done with a mail
LATER_S = WORK_S + NETWORKS_S + 10  # past all their windows
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0"
DESKTOPS = [
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME.format(141)} Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME.format(140)} Safari/537.36 Edg/140.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Safari/605.1.15",
]
PHONES = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (Linux; Android 10; K) {CHROME.format(141)} Mobile Safari/537.36",
]
ISOLATED = f"Mozilla/5.0 (X11; Linux x86_64) {CHROME.format(138)} Safari/537.36"
SLACK = "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"
TEAMS = ("Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 "
         "skype-url-preview@microsoft.com")
WHATSAPP = "WhatsApp/2.25.27.80 A"


class Mail:
    """One mail to one client: its links, and who opens them."""

    def __init__(self, world, client, n_links, campaign, start_s, age_s=0):
        kinds = world.rng.sample(["view", "pay", "login"], min(n_links, 3))
        object_id = world.next_number()
        issued_s = world.start_s - age_s
        self.world, self.client, self.start_s = world, client, start_s
        self.links = [tokens.seal(world.key, "acme", kind, object_id, client=client,
                                  campaign=campaign, ttl=9, channel="mail", issued_s=issued_s)
                      for kind in kinds]
        while len(self.links) < n_links:  # a second invoice in the same mail
            self.links.append(tokens.seal(world.key, "acme", "view", world.next_number(),
                                          client=client, campaign=campaign, ttl=9,
                                          channel="mail", issued_s=issued_s))
        world.links.update(dict.fromkeys(self.links, (client, issued_s)))

    def open(self, who, at_s, address, agent, link=None, truth="human", method="GET", **headers):
        """Plans a request, `at_s` seconds after the mail was sent."""
        link = self.links[0] if link is None else link
        self.world.plan(self.start_s + at_s, link, who, truth, address, method,
                        {"User-Agent": agent, **headers})


class World:
    """All mails of a run and what will be requested: (time, link, who, truth, …)."""

    def __init__(self, key, rng, start_s):
        self.key, self.rng, self.start_s = key, rng, start_s
        self.number = 1000
        self.requests = []
        self.links = {}  # token: (client, when it was made)

    def next_number(self):
        self.number += 1
        return self.number

    def plan(self, at_s, link, who, truth, address, method, headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.requests.append((at_s / SCALE, len(self.requests), link, who, truth, method,
                              {**headers, "X-Forwarded-For": address}))

    def network(self):
        """A function that makes addresses of one /24, or one /48."""
        rng = self.rng
        if rng.random() < 0.3:
            net = f"2a{rng.randrange(16):x}{rng.randrange(16):x}:{rng.randrange(1, 65536):x}:" \
                  f"{rng.randrange(1, 65536):x}"
            return lambda: f"{net}:{rng.randrange(65536):x}::{rng.randrange(1, 65536):x}"
        net = f"{rng.randrange(11, 95)}.{rng.randrange(256)}.{rng.randrange(256)}"
        return lambda: f"{net}.{rng.randrange(1, 255)}"


# --- gateways: what they do to the links of a mail, at its delivery ---

def safe_links(mail, rng):
    """Detonates each link from several networks of a cloud; some by HEAD first."""
    networks = [mail.world.network() for _ in range(rng.randint(3, 5))]
    start_s = rng.uniform(2, WORK_S / 2)
    for link in mail.links:
        for i in range(3):
            at_s = start_s + rng.uniform(0, WORK_S / 2)
            address, agent = networks[i](), rng.choice(DESKTOPS[:2])
            if rng.random() < 0.3:
                mail.open("safe links", at_s - 0.3, address, agent, link, "probe", "HEAD")
            mail.open("safe links", at_s, address, agent, link, "scanner")


def proofpoint(mail, rng):
    """Opens all links within seconds, from one or two networks."""
    networks = [mail.world.network() for _ in range(rng.randint(1, 2))]
    start_s = rng.uniform(1, WORK_S - 6)
    for i, link in enumerate(mail.links):
        mail.open("proofpoint", start_s + i * rng.uniform(0.2, 2), rng.choice(networks)(),
                  DESKTOPS[0], link, "scanner")


def mimecast(mail, rng):
    """HEAD, then GET, one link after the other, from one network."""
    network, agent = mail.world.network(), rng.choice(DESKTOPS)
    at_s = rng.uniform(1, 20)
    for link in mail.links:
        mail.open("mimecast", at_s, network(), agent, link, "probe", "HEAD")
        mail.open("mimecast", at_s + 0.5, network(), agent, link, "scanner")
        at_s += rng.uniform(0.8, 1.8)


def barracuda(mail, rng):
    """All links at once from one address, when the mail is delivered."""
    address, agent, start_s = mail.world.network()(), rng.choice(DESKTOPS), rng.uniform(0.5, 5)
    for link in mail.links:
        mail.open("barracuda", start_s + rng.uniform(0, 1.5), address, agent, link, "scanner")


GATEWAYS = [safe_links, proofpoint, mimecast, barracuda]


def late_gateway(mail, rng):
    """Opens all links within some two seconds, long after the mail was sent."""
    networks, at_s = [mail.world.network() for _ in range(rng.randint(1, 2))], 0
    for link in mail.links:
        mail.open("late gateway", at_s, rng.choice(networks)(), DESKTOPS[0], link, "scanner")
        at_s += rng.uniform(0.2, 2)


# --- machines that nobody finds: no sign tells them from a person ---

def sandbox(mail, rng):
    """Looks at a page for a while before it opens the next link."""
    network, at_s = mail.world.network(), rng.uniform(2, 10)
    for link in mail.links:
        mail.open("sandbox", at_s, network(), DESKTOPS[0], link, "unseen")
        at_s += rng.uniform(12, 25)


def single_look(mail, rng):
    """Safe Links looks at the link that a person has just clicked, and then lets the person go on."""
    link, at_s = rng.choice(mail.links), rng.uniform(0, 60)
    mail.open("single look", at_s, mail.world.network()(), DESKTOPS[1], link, "unseen")
    mail.open("after a single look", at_s + rng.uniform(0.5, 3), mail.world.network()(), rng.choice(DESKTOPS),
              link)


# --- people: how they open a mail, `at_s` seconds after it was sent ---

def one_click(mail, rng, at_s):
    mail.open("one click", at_s, mail.world.network()(), rng.choice(DESKTOPS + PHONES),
              rng.choice(mail.links))


def link_twice(mail, rng, at_s):
    """A double click, or the same again after a look at the page."""
    address, agent, link = mail.world.network()(), rng.choice(DESKTOPS), rng.choice(mail.links)
    mail.open("link twice", at_s, address, agent, link)
    mail.open("link twice", at_s + rng.choice([0.3, rng.uniform(10, 60)]), address, agent, link)


def view_then_pay(mail, rng, at_s):
    address, agent = mail.world.network()(), rng.choice(DESKTOPS + PHONES)
    for i, link in enumerate(mail.links[:2]):
        mail.open("view, then pay", at_s + i * rng.uniform(8, 60), address, agent, link)


def pay_at_once(mail, rng):
    """A customer whose mail has just come looks at the invoice, and pays."""
    address, agent, at_s = mail.world.network()(), rng.choice(DESKTOPS + PHONES), rng.uniform(5, 60)
    mail.open("pay at once", at_s, address, agent, mail.links[0])
    mail.open("pay at once", at_s + rng.uniform(4, 9), address, agent, mail.links[1])


def every_link(mail, rng, at_s):
    """Curious: three links of a mail, with a look at each page."""
    address, agent = mail.world.network()(), rng.choice(DESKTOPS)
    for link in mail.links[:3]:
        mail.open("every link", at_s, address, agent, link)
        at_s += rng.uniform(7, 20)


def two_devices(mail, rng, at_s):
    """On the phone, on the way from Wi-Fi to the mobile network, or on two machines of a family."""
    link = rng.choice(mail.links)
    for i in range(2):
        mail.open("two networks", at_s + i * rng.uniform(5, 60), mail.world.network()(),
                  rng.choice(PHONES + DESKTOPS), link)


def forwarded(mail, rng, at_s):
    """To an accountant, who opens it later from elsewhere."""
    link = rng.choice(mail.links)
    mail.open("forwarded", at_s, mail.world.network()(), rng.choice(DESKTOPS), link)
    mail.open("forwarded", at_s + rng.uniform(20, 60), mail.world.network()(),
              rng.choice(DESKTOPS), link)


def isolated(mail, rng, at_s):
    """The company's browser runs in a cloud; it leaves from one of two networks."""
    networks = [mail.world.network(), mail.world.network()]
    for i in range(rng.randint(1, 2)):
        mail.open("browser isolation", at_s + i * rng.uniform(10, 40), rng.choice(networks)(),
                  ISOLATED, rng.choice(mail.links))


def shared_in_chat(mail, rng, at_s):
    """The chat shows a preview, and another person opens the link, too."""
    link = rng.choice(mail.links)
    name, agent = rng.choice([("Slack", SLACK), ("Teams", TEAMS), ("WhatsApp", WHATSAPP)])
    mail.open("chat", at_s, mail.world.network()(), rng.choice(PHONES), link)
    mail.open(f"preview in {name}", at_s + 10, mail.world.network()(), agent, link, "bot")
    mail.open("chat", at_s + rng.uniform(20, 60), mail.world.network()(), rng.choice(PHONES), link)


def apple_preview(mail, rng, at_s):
    """A long press in Apple's Mail shows the page, then a tap opens it."""
    address, link = mail.world.network()(), rng.choice(mail.links)
    mail.open("preview by Apple", at_s, address, PHONES[0], link, "prefetch", X_Purpose="preview")
    mail.open("after a preview", at_s + 3, address, PHONES[0], link)


PEOPLE = [(one_click, 50), (link_twice, 12), (view_then_pay, 12), (every_link, 3),
          (two_devices, 6), (forwarded, 4), (isolated, 5), (shared_in_chat, 5), (apple_preview, 3)]


def open_later(mail, rng):
    """Half of the people click within two hours, a third within one, one in forty in the two
    minutes in which gateways are at work."""
    play = rng.choices([who for who, _ in PEOPLE], [share for _, share in PEOPLE])[0]
    play(mail, rng, min(rng.lognormvariate(8.8, 1.9), LATER_S + rng.uniform(0, 15)))


# --- who opens one link again and again ---

def flood(mail, rng):
    """A script with a browser's agent; its first clicks are as good as a person's."""
    network, at_s = mail.world.network(), 0
    for i in range(3 * REPEAT_MAX):
        mail.open("flood", at_s, network(), DESKTOPS[0], mail.links[0], "unseen" if i < REPEAT_MAX else "bot")
        at_s += rng.uniform(0.2, 1)


# --- all of them ---

def plan_some(world, play, n, n_links, age_s):
    for _ in range(n):
        mail = Mail(world, world.next_number(), n_links, 12, world.rng.uniform(0, 60), age_s)
        play(mail, world.rng)



def plan_corporate_nat(world):
    """Sixty clients behind one address, within a minute: each of them has a mail of its own."""
    address, agents = world.network()(), DESKTOPS[:2]
    for _ in range(60):
        mail = Mail(world, world.next_number(), 3, 9, world.rng.uniform(0, 60), age_s=7200)
        mail.open("corporate NAT", 0, address, world.rng.choice(agents), world.rng.choice(mail.links))


def plan_reminders(world):
    """Three mails about invoices, opened one after the other in the mailbox."""
    for _ in range(10):
        client, address, start_s = world.next_number(), world.network()(), world.rng.uniform(0, 90)
        for campaign in (21, 22, 23):
            mail = Mail(world, client, 3, campaign, start_s, age_s=86400 * (24 - campaign))
            mail.open("several reminders", 0, address, DESKTOPS[1], mail.links[0])
            start_s += world.rng.uniform(7, 25)


def plan(world, n_mails):
    rng = world.rng
    for _ in range(n_mails):
        scanned = rng.random() < 0.5
        n_links = rng.choices([1, 2, 3, 4], [5, 15, 60, 20])[0]
        mail = Mail(world, world.next_number(), n_links, 12, rng.uniform(0, 20),
                    age_s=0 if scanned else 3600)
        if scanned:
            rng.choice(GATEWAYS)(mail, rng)
        if rng.random() < 0.7:
            open_later(mail, rng)
    plan_corporate_nat(world)
    plan_reminders(world)
    plan_some(world, late_gateway, n_mails // 20, 2, age_s=1800)
    plan_some(world, pay_at_once, n_mails // 20, 2, age_s=0)
    plan_some(world, sandbox, n_mails // 50, 3, age_s=0)
    plan_some(world, single_look, n_mails // 50, 2, age_s=3600)
    plan_some(world, flood, 3, 1, age_s=3600)
    world.requests.sort()
