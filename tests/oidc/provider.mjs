// A real OpenID provider for the tests: provider.mjs PORT [REDIRECT_URI].  Whoever signs in is who they say.
import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";

const { default: Provider } = await import(createRequire(import.meta.url).resolve("oidc-provider"));
const port = Number(process.argv[2]);
const callback = process.argv[3] ?? "https://hopcount.acme.example/v1/session/oidc/callback";
const secret = "a-secret-of-forty-three-characters-or-more-:/+";
const groups = { "grace@acme.example": ["staff", "bosses"] };

function key(kind, options, kid) {
    return { ...generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" }), kid, use: "sig" };
}

function client(id, method, alg) {
    return { client_id: id, redirect_uris: [callback], response_types: ["code"], grant_types: ["authorization_code"],
        token_endpoint_auth_method: method, id_token_signed_response_alg: alg,
        ...(method === "none" ? {} : { client_secret: secret }) };
}

const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [client("basic-rs256", "client_secret_basic", "RS256"), client("post-es256", "client_secret_post", "ES256"),
        client("public-es256", "none", "ES256")],
    jwks: { keys: [key("rsa", { modulusLength: 2048 }, "r"), key("ec", { namedCurve: "P-256" }, "e")] },
    claims: { openid: ["sub"], email: ["email", "email_verified"], groups: ["groups"] },
    scopes: ["openid", "email", "groups"],
    cookies: { keys: ["for tests"] },
    pkce: { required: () => true },
    findAccount: (_, sub) => ({ accountId: sub,
        claims: () => ({ sub, email: sub, email_verified: true, groups: groups[sub] ?? ["staff"] }) }),
});

provider.listen(port, "127.0.0.1");
