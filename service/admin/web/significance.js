// Tests whether one variant is better than another, or whether chance explains the difference.
//
// Without the number of mails sent, the counts of two variants are compared as Poisson rates of
// equal exposure: given their sum, one of them is binomial (Przyborowski and Wilenski, 1940).  Test
// and interval are exact (Clopper and Pearson, 1934).  With the numbers sent, two proportions are
// compared: Fisher's exact test for small numbers, else the pooled z-test; the interval of the
// difference is Newcombe's (1998, method 10).  Several pairs are tested together by Holm (1979).

const Z = 1.959963984540054; // two-sided 95 %

const lanczos = [676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];

export function logGamma(x) {
    let sum = 0.99999999999980993;

    lanczos.forEach((c, i) => { sum += c / (x + i); });
    const t = x + lanczos.length - 1.5;

    return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/* The continued fraction of the incomplete beta function, by Lentz's method. */
function betaFraction(a, b, x) {
    const tiny = 1e-300;

    let c = 1, d = 1 / ((1 - (a + b) * x / (a + 1)) || tiny);
    let value = d;

    for (let m = 1; m <= 5000; m++) {
        const even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));

        d = 1 / ((1 + even * d) || tiny);
        c = (1 + even / c) || tiny;
        value *= d * c;
        d = 1 / ((1 + odd * d) || tiny);
        c = (1 + odd / c) || tiny;
        value *= d * c;
        if (Math.abs(d * c - 1) < 1e-14)
            break;
    }
    return value;
}

/** The regularized incomplete beta function I_x(a, b). */
export function beta(x, a, b) {
    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) +
        b * Math.log1p(-x));

    return x < (a + 1) / (a + b + 2) ? front * betaFraction(a, b, x) / a
        : 1 - front * betaFraction(b, a, 1 - x) / b;
}

/** P(X ≤ k) and P(X ≥ k) of a binomial X. */
function atMost(k, n, p) {
    return k >= n ? 1 : 1 - beta(p, k + 1, n - k);
}

function atLeast(k, n, p) {
    return k <= 0 ? 1 : beta(p, k, n - k + 1);
}

/** Where f, which rises over (0, 1), reaches `want`. */
function solve(f, want) {
    let low = 0, high = 1;

    for (let i = 0; i < 80; i++) {
        const middle = (low + high) / 2;

        if (f(middle) < want)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

/** Two counts of equal exposure: {p, ratio, low, high}, the ratio of a to b with its 95 % interval. */
export function comparePoisson(a, b) {
    const n = a + b;
    const p = n === 0 ? 1 : Math.min(1, 2 * Math.min(atMost(a, n, 0.5), atLeast(a, n, 0.5)));
    const low = a === 0 ? 0 : solve((x) => atLeast(a, n, x), 0.025);
    const high = b === 0 ? 1 : solve((x) => 1 - atMost(a, n, x), 0.975);

    return { p, ratio: a / b, low: low / (1 - low), high: high / (1 - high) };
}

/** The error function's complement (Abramowitz and Stegun 7.1.26 is too coarse: this is exact to
 * 1e-7 relative, after Numerical Recipes, erfcc). */
function erfc(x) {
    const z = Math.abs(x), t = 1 / (1 + 0.5 * z);
    const terms = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807,
        -1.13520398, 1.48851587, -0.82215223, 0.17087277];
    const value = t * Math.exp(-z * z + terms.reduceRight((sum, c) => sum * t + c, 0));

    return x >= 0 ? value : 2 - value;
}

/** Wilson's interval of a proportion. */
export function wilson(k, n) {
    const centre = (k + Z * Z / 2) / (n + Z * Z);
    const half = Z / (n + Z * Z) * Math.sqrt(k * (n - k) / n + Z * Z / 4);

    return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

function logChoose(n, k) {
    return logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
}

/* Two-sided: sums the probabilities of all tables that are no likelier than this one. */
function fisher(a, na, b, nb) {
    const hits = a + b, all = logChoose(na + nb, hits);
    const chance = (k) => Math.exp(logChoose(na, k) + logChoose(nb, hits - k) - all);
    const own = chance(a) * (1 + 1e-7);
    let p = 0;

    for (let k = Math.max(0, hits - nb); k <= Math.min(na, hits); k++) {
        if (chance(k) <= own)
            p += chance(k);
    }
    return Math.min(1, p);
}

/** Two shares: {p, difference, low, high}, of a/na minus b/nb. */
export function compareShares(a, na, b, nb) {
    const pa = a / na, pb = b / nb, pool = (a + b) / (na + nb);
    const smallest = Math.min(na, nb) * Math.min(pool, 1 - pool);
    const error = Math.sqrt(pool * (1 - pool) * (1 / na + 1 / nb));
    const ia = wilson(a, na), ib = wilson(b, nb);
    let p = 1;

    if (smallest < 5)
        p = fisher(a, na, b, nb);
    else if (error > 0)
        p = erfc(Math.abs(pa - pb) / error / Math.SQRT2);
    return {
        p,
        difference: pa - pb,
        low: pa - pb - Math.hypot(pa - ia.low, ib.high - pb),
        high: pa - pb + Math.hypot(ia.high - pa, pb - ib.low),
    };
}

const Z_POWER = 0.8416212335729143; // 80 %

/** How many each of two variants needs, to see the difference between two shares four times in five. */
export function needed(a, b) {
    const pool = (a + b) / 2;
    const top = Z * Math.sqrt(2 * pool * (1 - pool)) + Z_POWER * Math.sqrt(a * (1 - a) + b * (1 - b));

    return Math.ceil((top / (a - b)) ** 2);
}

/** Holm’s correction of p values for several tests made together. */
export function holm(ps) {
    const order = ps.map((p, i) => [p, i]).sort((x, y) => x[0] - y[0]);
    const out = new Array(ps.length);
    let most = 0;

    order.forEach(([p, i], rank) => {
        most = Math.max(most, Math.min(1, p * (ps.length - rank)));
        out[i] = most;
    });
    return out;
}

/**
 * Judges variants [{name, clicks, sent}], `sent` 0 or absent = not known.
 *
 * The result is {leader, by: "share" | "count", pairs: [{other, p, …}], verdict}; the verdict is
 * "one" (nothing to compare), "few" (too few clicks to say anything), "clear" (the leader beats
 * each other one) or "open".
 */
export function judge(variants) {
    const by = variants.every(({ clicks, sent }) => sent > 0 && clicks <= sent) ? "share" : "count";
    const value = ({ clicks, sent }) => (by === "share" ? clicks / sent : clicks);
    const [leader, ...others] = [...variants].sort((a, b) => value(b) - value(a));
    const total = variants.reduce((sum, { clicks }) => sum + clicks, 0);

    if (others.length === 0)
        return { verdict: "one", leader, by, pairs: [] };
    const pairs = others.map((other) => ({ other, ...(by === "share"
        ? compareShares(leader.clicks, leader.sent, other.clicks, other.sent)
        : comparePoisson(leader.clicks, other.clicks)) }));
    // The leader was chosen by the data, so all pairs of variants count as tested.
    const tests = variants.length * (variants.length - 1) / 2;
    const rest = new Array(tests - pairs.length).fill(1);

    holm([...pairs.map(({ p }) => p), ...rest]).slice(0, pairs.length)
        .forEach((p, i) => { pairs[i].p = p; });
    if (total < 20)
        return { verdict: "few", leader, by, pairs };
    return { verdict: pairs.every(({ p }) => p < 0.05) ? "clear" : "open", leader, by, pairs };
}
