"""Words that say nothing about the thing that is looked for: joints of a sentence, and what a shopper says of
shopping."""

from functools import cache

# As the text rule gives them: without accents and apostrophes.
_STOPS = {
    "en": """a an and are as at be been but by can could do does for from had has have he her his how i if in into is it
        its me my of on or our she so some such than that the their them then there these they this those to was we were
        what when where which who will with would you your im ive id dont whats""",
    "de": """aber als am an auf aus bei bin bis das dass dein dem den der des die dies diese dieser dieses du durch ein
        eine einem einen einer eines er es fur hat ich ihr im in ist ja kein keine mein meine mich mir mit nach nicht
        noch nur oder sehr sein sich sie sind so uber um und uns unter vom von vor war was welche wie wir wird wo zu zum
        zur""",
    "fr": """a au aux avec ce ces cet cette dans de des du elle en est et il ils je la le les leur lui ma mais me mes
        mon ne nos notre nous on ou par pas pour qu que qui sa se ses son sur ta te tes toi ton tu un une vos votre vous
        c d j l m n s t y""",
    "es": """a al algo como con de del desde donde el ella en entre es esta este esto hay la las le lo los me mi mis
        muy no nos o para pero por que se ser si sin sobre su sus te tu un una uno y ya yo""",
    "it": """a ad ai al alla alle anche che chi ci come con da dal dalla dei del della delle di e ed gli ha ho i il in
        io la le lo ma mi nel nella non o per piu quale quella questo se sono su sua suo tra tu un una uno vi""",
    "nl": """aan als bij dan dat de deze die dit door een en er het hij hoe ik in is je kan maar me met mijn naar niet
        nog of om onder ook op over te tot uit van veel voor was wat we wel wie zijn""",
    "pt": """a ao aos as com como da das de do dos e ela ele em entre essa este eu foi isso ja mais mas me meu minha na
        nao nas no nos o os ou para pela pelo por que se sem ser seu sua um uma voce""",
    "ru": """а без бы в во вы где для до его ее за и из или их к как ко ли мне мой мы на не нет но о об от по под при с
        со так то у что это я""",
}  # fmt: skip
_FILLERS = {
    "en": """affordable bargain best buy buying cheap cheapest deal deals discount discounted find get gimme give good
        hello hey hi looking need needed online order please pls price prices purchase sale search searching shop
        shopping show store thank thanks top want wanted""",
    "de": """angebot angebote beste besten bestellen billig bitte brauche danke finden gesucht gunstig gunstige
        gunstiger kaufen online preis preise preiswert shop suche zeige""",
    "fr": """achat acheter besoin bon cher cherche commander ligne magasin meilleur meilleure merci moins pas prix promo
        promotion solde soldes svp trouver vente veux""",
    "es": """barata baratas barato baratos busco comprar favor gracias mejor mejores necesito oferta ofertas precio
        precios quiero rebajas tienda venta""",
    "it": """acquistare cerco comprare economico favore grazie migliore migliori negozio offerta offerte prezzi prezzo
        saldi vendita voglio""",
    "nl": """aanbieding alsjeblieft bestellen beste goedkoop goedkope graag kopen korting prijs prijzen winkel zoek""",
    "pt": """barata barato busco comprar favor loja melhor melhores obrigado oferta ofertas preciso preco precos
        promocao quero venda""",
    "ru": """дешево дешевый заказать купить лучшая лучшие лучший магазин недорого нужен пожалуйста покажи продажа
        скидка скидки хочу цена цены""",
}  # fmt: skip


@cache
def stops(language: str) -> frozenset[str]:
    """Never asked for, unless nothing else is. `language`: a tag; none of one that is not known here."""
    return frozenset(_STOPS.get(language.partition("-")[0], "").split())


@cache
def fillers(language: str) -> frozenset[str]:
    """Never required, unless nothing else is asked for. They may be in a title, where they count a little."""
    return frozenset(_FILLERS.get(language.partition("-")[0], "").split())
