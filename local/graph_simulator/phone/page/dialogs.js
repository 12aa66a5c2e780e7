import { byId } from "./dom.js";

for (const dialog of document.querySelectorAll("dialog")) {
  // A click outside of what a dialog shows is a click on the dialog itself.
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  dialog.querySelector("[data-close]")?.addEventListener("click", () => dialog.close());
}

function openForm(id, values, onSubmit) {
  const dialog = byId(id);
  const form = dialog.querySelector("form");
  for (const [name, value] of Object.entries(values)) {
    const field = form.elements[name];
    if (field.type === "checkbox") field.checked = value;
    else field.value = value;
  }
  form.onsubmit = () => onSubmit(form.elements);
  dialog.showModal();
}

/** Whose phone this is, and how it is set. */
export function openOwner(customer, onSave) {
  const { display, name, receipts, online } = customer;
  openForm("owner-dialog", { phone: display, name, receipts, online }, (fields) =>
    onSave({
      phone: fields.phone.value.replace(/\D/g, ""),
      patch: {
        name: fields.name.value,
        receipts: fields.receipts.value,
        online: fields.online.checked,
      },
    }));
}

/** Which business to write to. */
export function openNewChat(onOpen) {
  openForm("new-chat-dialog", { business: "" }, (fields) => onOpen(fields.business.value));
}
