"""The chain that integration tests run on."""

from fractions import Fraction

from moorage.chain.contracts import Exchange, Registry, Token, provider_account
from moorage.chain.market import check_market, load_market
from moorage.types import Address
from tests.chain import ONE_TOKEN, deploy_market, give_tokens, register_provider, start_chain, write_market


async def test_chain__market_deployed__everybody_can_pay(tmp_path):
    async with start_chain() as chain:
        market = await deploy_market(chain, period=7, interest_rate=3, grace=9, tip=5, max_fulfillments=4)
        await give_tokens(chain, market, chain.tenant.address, 10)
        provider = await register_provider(chain, market, 1, collateral=3 * ONE_TOKEN)
        write_market(market, tmp_path / "market.json")

        await check_market(chain.rpc, market)
        assert load_market(tmp_path / "market.json") == market
        addresses = market.token.lower(), market.registry.lower()
        assert await Exchange(chain.rpc, market).read(None, "market_parameters") == (*addresses, 1, 7, 3, 5, 9, 4)
        assert market.parameters.reconfirmation_period_blocks == 7
        assert await Token(chain.rpc, market).balance(None, Address(chain.tenant.address)) == 10 * ONE_TOKEN
        assert (await Registry(chain.rpc, market).provider(None, provider)).operator == chain.operators[1].address
        (account,) = await Exchange(chain.rpc, market).accounts(None, [provider_account(provider)])
        assert account.available == 3 * ONE_TOKEN


async def test_chain__block_time__market_knows_it():
    async with start_chain(block_time=5) as chain:
        market = await deploy_market(chain, token="testing/StandardToken", decimals=6)

        assert market.seconds_per_block == Fraction(5)
        assert market.parameters.token_decimals == 6
