// The interactive documentation. A key that is typed in stays in this page's memory, and goes to this server alone.
import SwaggerUIBundle from "swagger-ui-dist/swagger-ui-bundle.js";
import "swagger-ui-dist/swagger-ui.css";

const root = document.documentElement;
const bright = root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
root.classList.toggle("dark-mode", bright === "dark");
const place = document.querySelector<HTMLElement>("[data-schema]");
if (place?.dataset.schema) {
  SwaggerUIBundle({
    domNode: place,
    url: place.dataset.schema,
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: "list",
    filter: true,
    persistAuthorization: false,
    tryItOutEnabled: true,
    // Else it would send the schema's address to a service of others.
    validatorUrl: null,
  });
}
