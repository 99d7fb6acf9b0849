// Gives names to campaigns; clicks hold only their numbers.
import { put, rename } from "./api.js";
import { announce, fill, h, newId } from "./dom.js";
import { t } from "./texts.js";
import { campaignName } from "./words.js";

const BYTES_MAX = 200;
const NUMBER_MAX = 65535;

function fault(number, name) {
    if (!(Number.isInteger(number) && number >= 1 && number <= NUMBER_MAX))
        return t("names.the_number_must_be", { max: String(NUMBER_MAX) });
    if (!name)
        return t("names.the_name_must_not");
    if (new TextEncoder().encode(name).length > BYTES_MAX)
        return t("names.the_name_is_too", { max: BYTES_MAX });
    return "";
}

function reason(error) {
    if (error.status === 403)
        return t("names.this_key_may_not", { message: error.message });
    if (error.parameter === "name")
        return t("names.the_name", { predicate: error.predicate });
    return t("names.the_name_could_not", { message: error.message });
}

/**
 * The form.  `row` {key, name} is a campaign, or null to ask for its number as well; `onEnd(key)` is
 * called when the form is closed, with the campaign that was named, or without an argument.
 */
export function nameForm(row, filters, onEnd) {
    const inputId = newId(), numberId = newId(), faultId = newId();
    const number = row ? null : h("input", { id: numberId, class: "input number", type: "number",
        min: "1", max: String(NUMBER_MAX), inputmode: "numeric", required: true });
    const input = h("input", { id: inputId, class: "input", type: "text", maxlength: "200",
        autocomplete: "off", required: true, value: row?.name ?? "", "aria-describedby": faultId });
    const problem = h("p", { class: "notice bad small", id: faultId, role: "alert", hidden: true });
    const save = h("button", { class: "button small", type: "submit" }, t("names.save"));

    function say(text) {
        problem.hidden = !text;
        problem.textContent = text;
        input.setAttribute("aria-invalid", text ? "true" : "false");
    }

    async function submit(event) {
        event.preventDefault();
        const key = row?.key ?? number.value.trim();
        const name = input.value.trim();
        const wrong = fault(Number(key), name);

        say(wrong);
        if (wrong || save.disabled)
            return;
        save.disabled = true;
        try {
            await put(`campaigns/${Number(key)}`, { brand: filters.brand }, { name });
            rename(filters.brand, String(Number(key)), name);
            announce(t("names.campaign_is_now_called", { key: String(Number(key)), name }));
            onEnd(String(Number(key)));
        } catch (error) {
            say(reason(error));
            input.focus();
        }
        save.disabled = false;
    }

    const form = h("form", { class: "naming", novalidate: true, onsubmit: submit,
        onkeydown: (event) => {
            if (event.key === "Escape")
                onEnd();
        } },
    number ? h("div", { class: "field" }, h("label", { for: numberId }, t("names.number_in_the_links")),
        number) : null,
    h("div", { class: "field" }, h("label", { for: inputId },
        row ? t("names.name_of_campaign", { key: row.key }) : t("common.name")), input),
    h("div", { class: "actions" }, save,
        h("button", { class: "button plain small", type: "button", onclick: () => onEnd() },
            t("names.cancel"))),
    problem);

    return { form, focus: () => (number ?? input).focus(), select: () => input.select() };
}

/** A button that replaces `place` by the form until the form is closed. */
export function renameButton(row, filters, place, onNamed) {
    const name = campaignName(row.key, row.name);
    const button = h("button", { class: "icon-button", type: "button", title: t("names.rename", { name }),
        "aria-label": t("names.rename", { name }), "data-key": `rename-${row.key}`, onclick: edit }, "✎");

    function edit() {
        const before = [...place.childNodes];
        const { form, focus, select } = nameForm(row, filters, (key) => {
            fill(place, before);
            button.focus();
            if (key)
                onNamed(key);
        });

        fill(place, form);
        focus();
        select();
    }

    return button;
}
